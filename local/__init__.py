"""The pipeline on a laptop: start the local engine, deploy the real CDK app, stop it. Nothing deployed imports this.

    engine = Engine()                       # this checkout's, with the port and the model of the environment
    running = up(engine, progress)          # started, deployed; costs nothing when nothing changed
    running.connection.client_options()     # for boto3.client("sqs", **options)
    engine.stop()

The library prints nothing: it reports through `progress` and raises `LocalError`, whose text says what to do next.
"""
