"""Put labelled questions to the assistant as a citizen would and count what came of them: ``yihaoda evaluate``.

``questions`` reads the sets; ``citizen`` holds the conversation: asks, taps the right option, replies in written words;
``figures`` makes each figure, ``runs`` keeps a run as a folder.  Who answers is handed in: the running stack
(`connectors.terminal.asking`), or, where variants are compared without Rasa, this process (``in_process``).
"""
