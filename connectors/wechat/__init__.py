"""WeChat: the official account (公众号), and the server side of the mini-program (小程序)."""
