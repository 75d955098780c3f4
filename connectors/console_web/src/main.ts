import { VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { install } from './elements'
import { queries } from './queries'
import { router } from './router'
import './style.css'

const app = createApp(App).use(createPinia()).use(VueQueryPlugin, { queryClient: queries }).use(router)
install(app)
app.mount('#app')
