"""A city's own figures (本地标准): what there is to fill in, what was filled in and approved, and the tables that departments fill."""
