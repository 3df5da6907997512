"""Chatbot: asks Amazon Bedrock, or the team's existing chatbot function, for an answer."""
