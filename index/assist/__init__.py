"""What helps an agent during a call: fields of the ticket from the transcript, a category with its reason."""
