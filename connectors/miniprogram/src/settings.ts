// How the citizen wants it: kept on the device, the same on every page.
import { reactive, watch } from 'vue'
import { load, save } from './storage'

/** The version of pages/privacy.vue; citizens are asked again when it changes. */
export const PRIVACY_VERSION = '2026-11'

export interface Settings {
  /** 长者模式: large type, strong contrast, one thing at a time */
  elder: boolean
  /** Read every answer aloud */
  aloud: boolean
  /** The privacy notice's version that was agreed to */
  privacy: string | null
}

export const settings = reactive<Settings>({ elder: false, aloud: false, privacy: null, ...load<Partial<Settings>>('settings') })

watch(settings, (now) => save('settings', now))
