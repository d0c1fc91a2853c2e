/** The session of Python nodes under broken messages. */

import { fuzzPython, sessionProtocol } from './python-streams.ts';

fuzzPython(sessionProtocol);
