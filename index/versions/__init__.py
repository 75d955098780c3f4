"""Index versions: built beside the current one, checked, published by one atomic rename; read by whoever serves."""
