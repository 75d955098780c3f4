// The chunk with the pages besides the conversation (vite.config.ts): who imports this has them all.
export const here = true
