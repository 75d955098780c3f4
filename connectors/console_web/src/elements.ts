// Those of Element Plus that the console uses, each with its styles; nothing else of it goes into the build.
import { ElButton, ElCheckbox, ElCheckboxGroup, ElInput, ElMessage, ElOption, ElRadioButton, ElRadioGroup, ElSelect, ElSwitch } from 'element-plus'
import type { App } from 'vue'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import 'element-plus/theme-chalk/el-button.css'
import 'element-plus/theme-chalk/el-checkbox.css'
import 'element-plus/theme-chalk/el-checkbox-group.css'
import 'element-plus/theme-chalk/el-input.css'
import 'element-plus/theme-chalk/el-message.css'
import 'element-plus/theme-chalk/el-option.css'
import 'element-plus/theme-chalk/el-popper.css'
import 'element-plus/theme-chalk/el-radio-button.css'
import 'element-plus/theme-chalk/el-radio-group.css'
import 'element-plus/theme-chalk/el-scrollbar.css'
import 'element-plus/theme-chalk/el-select.css'
import 'element-plus/theme-chalk/el-switch.css'
import 'element-plus/theme-chalk/el-tag.css'

const USED = [ElButton, ElCheckbox, ElCheckboxGroup, ElInput, ElOption, ElRadioButton, ElRadioGroup, ElSelect, ElSwitch]

export function install(app: App) {
  for (const one of USED) app.component(one.name as string, one)
}

/** Say that something was done, or what went wrong. */
export function say(message: string, wrong = false) {
  ElMessage({ message, type: wrong ? 'error' : 'info', duration: wrong ? 6000 : 2500, grouping: true, plain: true, offset: 80 })
}
