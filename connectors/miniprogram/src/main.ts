import { createSSRApp } from 'vue'
import App from './App.vue'

// uni-app's start-up contract: a factory under this name.
export function createApp() {
  return { app: createSSRApp(App) }
}
