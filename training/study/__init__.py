"""Studies of retrieval on public benchmarks, with parts that the product does not serve."""
