"""From a question to ranked candidates and a probability: normalise, retrieve, rank."""
