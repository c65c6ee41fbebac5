"""Units in containers: the runner beside that of processes, and what a container is made of.

    spec      a launch → what the Docker Engine is asked to create: limits, rights, mounts
    engine    the few calls on the Docker Engine, with its failures as sentences
    runner    `DockerRunner`: starts, adopts, watches and stops containers
    rules     what a sidecar in a container may ask of the engine; socketfilter serves it

Kept apart so that a fleet of processes never loads the Docker SDK.
"""
