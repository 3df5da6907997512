"""Enhancer: formats the chatbot's answer by the message's complexity and adds its origin."""
