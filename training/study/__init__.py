"""A study of retrieval on public benches, with parts that the product does not serve."""
