"""What runs the processes: supervisor, watchdog, services, their log files and Rasa's model."""
