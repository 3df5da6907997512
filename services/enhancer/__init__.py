"""Enhancer: formats the chatbot's answer by the message's complexity and says where it comes from."""
