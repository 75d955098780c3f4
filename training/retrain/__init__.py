"""Retraining (重新训练): from what people decided about the city's questions to a bundle that can be evaluated and released.

Each step reads the frozen data and nothing else, writes aside and renames, so it may be cut off anywhere and run again.  What takes
long runs in a process of its own (``training.retrain.child``), at the lowest priority, which a stop ends at once.
"""
