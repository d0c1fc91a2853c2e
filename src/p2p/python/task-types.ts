/** Names that mean the same type of task to a Python node. A claim for one of them is a claim for all. */

const families: Readonly<Record<string, readonly string[]>> = {
  'text-generation': ['text_generation', 'generation'],
  'text2text-generation': ['text2text_generation', 'text2text'],
  embedding: ['embeddings', 'text-embedding', 'text_embedding', 'text_embeddings'],
  'text-classification': ['text_classification'],
  'hf.pipeline': ['hf_pipeline'],
  'llm.generate': ['llm_generate'],
  'multimodal-generation': ['multimodal_generation', 'vision-generation', 'vision_generation'],
  'tool.call': ['tool'],
  'voice.tts': ['voice_tts', 'voice-tts', 'tts', 'text-to-speech', 'text_to_speech'],
  'voice.asr': [
    ...['voice_asr', 'voice-asr', 'voice.stt', 'voice_stt', 'voice-stt', 'asr', 'stt', 'speech-to-text'],
    ...['speech_to_text', 'automatic-speech-recognition', 'automatic_speech_recognition'],
  ],
  'voice.audio-validate': [
    ...['voice.audio_validate', 'voice_audio_validate', 'voice-audio-validate', 'audio-validate', 'audio_validate'],
    ...['audio-validation', 'audio_validation'],
  ],
};

const familyOf: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(families).flatMap(([name, others]) => {
    const family = [name, ...others];
    return family.map((each) => [each, family] as const);
  }),
);

/** All names of the types that are meant, each once, in the order in which they were asked for. */
export function expandTaskTypes(types: readonly string[]): string[] {
  return [...new Set(types.flatMap((type) => familyOf.get(type) ?? [type]))];
}
