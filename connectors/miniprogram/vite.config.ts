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

// One script for all pages of the browser: it is small, and a page not opened before must open without network too.
const output = process.env.UNI_PLATFORM === 'h5' ? { inlineDynamicImports: true } : {}

export default defineConfig({
  plugins: [plugin(), nothingFromElsewhere()],
  build: { target: 'es2017', rollupOptions: { output } },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8000' } },
})
