// One HTTP request through uni-app, which is XMLHttpRequest in a browser and wx.request in WeChat.

/** Where the gateway is: the same origin in a browser; a mini-program is built with its address. */
export const BASE: string = import.meta.env.VITE_API_BASE ?? ''
const TIMEOUT_MS = 30_000

/** What went wrong, in words for the citizen.  `status` 0: there was no answer; sending again is safe. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message)
  }

  get offline(): boolean {
    return this.status === 0
  }

  /** The token opens the conversation no more: its time is over, or the conversation was erased. */
  get lockedOut(): boolean {
    return this.status === 401 || this.status === 403
  }
}

interface Options {
  body?: unknown
  token?: string
  timeout?: number
}

export function request(method: string, url: string, options: Options): Promise<unknown> {
  return new Promise((resolve, reject) => {
    uni.request({
      url: BASE + url,
      method: method.toUpperCase() as 'GET',
      data: options.body as AnyObject | undefined,
      timeout: options.timeout ?? TIMEOUT_MS,
      header: {
        ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(options.token ? { Authorization: `Bearer ${options.token}` } : {}),
      },
      success({ statusCode, data }) {
        if (statusCode >= 200 && statusCode < 300) return resolve(data)
        const error = (data as { error?: { code?: string; message?: string } } | undefined)?.error
        reject(new ApiError(statusCode, error?.code ?? 'unknown', error?.message ?? '服务暂时有问题，请稍后再试'))
      },
      fail() {
        reject(new ApiError(0, 'offline', '网络不通，请检查网络后重试'))
      },
    })
  })
}
