"""The small model: a real language model on this machine, behind a server that speaks OpenAI's chat completions.

`python -m local.small_model` runs the server, in an environment of its own, with openvino-genai. The engine's process
starts it, watches it and ends it (`local/engine_model.py`). `place.py` says where it is installed, and what prevents
a machine from running it.
"""
