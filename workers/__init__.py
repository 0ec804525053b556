"""The deployed pool of workers, from a checkout. It is not installed: the worker itself is `fusionq.worker`."""
