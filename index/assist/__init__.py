"""What the desk is shown while somebody talks: the question in the story, what answers it, what tells two answers apart."""
