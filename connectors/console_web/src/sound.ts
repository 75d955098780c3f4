// A few short tones, made here: no file, nothing to load.
let context: AudioContext | undefined

/** So many tones, one after the other.  Browsers stay silent until somebody has touched the page. */
export function ring(times: number) {
  context ??= new AudioContext()
  void context.resume()
  for (let n = 0; n < times; n++) {
    const at = context.currentTime + n * 0.28
    const tone = context.createOscillator()
    const loud = context.createGain()
    tone.frequency.value = 880
    loud.gain.setValueAtTime(0.12, at)
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.2)
    tone.connect(loud).connect(context.destination)
    tone.start(at)
    tone.stop(at + 0.2)
  }
}
