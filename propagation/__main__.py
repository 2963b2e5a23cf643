"""`python -m propagation`: see `propagation.doctor`."""

import sys

from propagation.doctor import main

sys.exit(main())
