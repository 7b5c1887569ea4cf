"""`python -m pandawms.pilot`: the same as the zipapp."""

import sys

from pandawms.pilot.main import main

sys.exit(main())
