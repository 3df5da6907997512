"""The pipeline on a laptop: start the local engine, deploy the real CDK app, stop the engine. Not deployed.

    engine = Engine()                       # this checkout's engine; port and model come from the environment
    running = up(engine, progress)          # starts and deploys; does nothing when nothing changed
    running.connection.client_options()     # for boto3.client("sqs", **options)
    engine.stop()

The library prints nothing: it reports through `progress` and raises `LocalError`, whose text says what to do next.
"""
