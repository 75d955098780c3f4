"""From a stored message to its reply: queue, dispatcher, Rasa, and who is waiting."""
