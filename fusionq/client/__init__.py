"""The queue from Python: what the command line does, as objects. See `fusionq.Client`."""
