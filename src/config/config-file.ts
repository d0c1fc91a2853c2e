/** Reads the JSON config file, whose keys are the settings' names. Called by `readSettings`. */

import { MeshError, toMeshError } from '../mesh/errors.ts';
import { didYouMean } from './nearest.ts';
import { isSettingName, type SettingName, settingNames } from './settings.ts';

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Partial<Record<SettingName, unknown>>>;
}

/** Answers undefined when there is no file and none was asked for. Throws `invalid_config`. */
export function readConfigFile(
  path: string,
  required: boolean,
  readFile: (path: string) => string | undefined,
): ConfigFile | undefined {
  const text = readFile(path);
  if (text === undefined) {
    if (!required) return undefined;
    throw new MeshError('invalid_config', `There is no config file at ${path}. Check --config, or create the file.`);
  }
  const values = parse(path, text);
  for (const key of Object.keys(values)) {
    if (isSettingName(key) && key !== 'config') continue;
    throw new MeshError(
      'invalid_config',
      `The config file ${path} has the key "${key}", which is no setting.${didYouMean(key, settingNames)} "taskmesh serve --help" lists them.`,
      { details: { setting: key, source: path } },
    );
  }
  return { path, values };
}

function parse(path: string, text: string): Record<string, unknown> {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (thrown) {
    const cause = thrown instanceof Error ? thrown.message : toMeshError(thrown).message;
    throw new MeshError('invalid_config', `The config file ${path} is not JSON: ${cause}. Correct it or move it away.`);
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new MeshError('invalid_config', `The config file ${path} must hold a JSON object, like {"port": 7331}.`);
  }
  return values as Record<string, unknown>;
}
