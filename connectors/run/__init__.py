"""What runs the processes: supervisor, services, their log files and Rasa's model."""
