"""The local engine: start it, deploy the real CDK app to it, stop it. Nothing deployed imports this."""
