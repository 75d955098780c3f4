import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import uni from '@dcloudio/vite-plugin-uni'
import { defineConfig, type Plugin } from 'vite'

// vite-plugin-uni is CommonJS: Node hands its exports over as the default.
const plugin = ((uni as unknown as { default?: typeof uni }).default ?? uni) as typeof uni

/** uni-app's own style sheet asks a foreign server for a shadow.  Nothing of ours is fetched from elsewhere. */
function nothingFromElsewhere(): Plugin {
  return {
    name: 'nothing-from-elsewhere',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle))
        if (file.type === 'asset' && file.fileName.endsWith('.css'))
          file.source = String(file.source).replace(/url\(["']?https?:[^)]*\)/g, 'none')
    },
  }
}

/** The service worker knows the build's files by name (src/offline/worker.js). */
function keptForOffline(): Plugin {
  return {
    name: 'kept-for-offline',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const files = ['/', '/static/icon.svg', ...Object.keys(bundle).filter((name) => name.startsWith('assets/')).map((name) => `/${name}`)]
        const worker = readFileSync('src/offline/worker.js', 'utf8').replace("['__FILES__']", JSON.stringify(files))
        const version = createHash('sha256').update(worker).update(readFileSync('index.html')).digest('hex').slice(0, 12)
        this.emitFile({ type: 'asset', fileName: 'worker.js', source: worker.replace('__VERSION__', version) })
      },
    },
  }
}

/** What isn't needed before the first answer comes after it, in one piece (src/offline/index.ts). */
const LATER = /src\/(pages\/(?!conversation)\w+\.vue|components\/(GradePicker|RegionPicker|ThemeCard|Timeline|Toggle)\.vue|later\.ts)/
/** Drawing a leaflet comes when somebody wants one. */
const LEAFLET = /src\/leaflet\.ts|node_modules\/qr\//
const browser = process.env.UNI_PLATFORM === 'h5'
const output = browser ? { manualChunks: (id: string) => (LEAFLET.test(id) ? 'leaflet' : LATER.test(id) ? 'later' : 'page') } : {}

export default defineConfig({
  plugins: [plugin(), nothingFromElsewhere(), ...(browser ? [keptForOffline()] : [])],
  build: { target: 'es2017', rollupOptions: { output } },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8000' } },
})
