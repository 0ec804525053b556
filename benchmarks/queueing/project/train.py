import sys

import tiny

tiny.train(sys.argv[1])
