/** The older protocol of Python nodes, one line each way, under broken messages. */

import { fuzzPython, olderProtocol } from './python-streams.ts';

fuzzPython(olderProtocol);
