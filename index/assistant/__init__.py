"""From a turn to its reply: ``respond`` decides, ``acts`` reads acts off the words, ``phrases`` is what it says itself."""
