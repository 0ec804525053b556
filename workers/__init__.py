"""The deployed pool of workers, from a checkout; not installed: the worker is `fusionq.worker`."""
