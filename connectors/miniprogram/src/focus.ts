// Where the keyboard and the screen reader go when something appears.
import { nextTick } from 'vue'

/** Goes to the element with this id (tabindex -1), once it is there.  In WeChat only the screen moves. */
export async function focusOn(id: string): Promise<void> {
  await nextTick()
  // #ifdef H5
  document.getElementById(id)?.focus({ preventScroll: true })
  // #endif
  await reveal(id)
}

/** Moves the screen so that the element is seen: from its beginning where it is taller than the screen. */
export async function reveal(id: string): Promise<void> {
  await nextTick()
  // #ifdef H5
  const element = document.getElementById(id)
  element?.scrollIntoView({ block: element.offsetHeight > window.innerHeight - 100 ? 'start' : 'nearest' })
  // #endif
  // #ifndef H5
  uni.pageScrollTo({ selector: `#${id}`, duration: 0, fail: () => undefined })
  // #endif
}
