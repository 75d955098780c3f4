// What citizens need most, for the first screen: themes of the API, or one matter of a theme.  What may not be answered today isn't shown.

export interface Tile {
  title: string
  /** The theme's id (index/themes.yaml) */
  theme: string
  /** One matter of the theme, by its title; without it the theme's most asked questions */
  matter?: string
  /** A drawing of 24 × 24, stroked */
  icon: string
}

const CARD = 'M3 5h18v14H3zM3 10h18M7 15h4'
const COIN = 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 7l3.5 5 3.5-5M12 12v5M9 13h6M9 15.5h6'
const CROSS = 'M9 3h6v6h6v6h-6v6H9v-6H3V9h6z'
const HEART = 'M12 20C5 15 3 12 3 8.5A4.5 4.5 0 0 1 12 7a4.5 4.5 0 0 1 9 1.5c0 3.5-2 6.5-9 11.5z'
const ID = 'M2 5h20v14H2zM8 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM5 16c0-3 6-3 6 0M14 10h5M14 14h5'
const WALKER = 'M10 3a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM10 9c-2 1-3 3-3 6h3l1 6M9 15l-2 6M11 11l5 2v8'

const EVERYBODY: Tile[] = [
  { title: '社保', theme: 'insurance', icon: 'M12 2l8 3v6c0 5-3 8-8 11-5-3-8-6-8-11V5zM8.5 12l2.5 2.5 4.5-5' },
  { title: '医保', theme: 'health', icon: CROSS },
  { title: '公积金', theme: 'housing', icon: 'M2 12l10-9 10 9M5 10v11h14V10M10 21v-6h4v6' },
  { title: '户口证件', theme: 'papers', icon: ID },
  { title: '上学', theme: 'school', icon: 'M1 9l11-5 11 5-11 5zM6 11.5v5c3 2.5 9 2.5 12 0v-5M23 9v6' },
  { title: '生育', theme: 'birth', icon: 'M4 11a8 8 0 0 1 8-8v8zM4 11h15c0 4-3 6-7.5 6S4 15 4 11zM19 11l2-5M8 19v2M15 19v2' },
  { title: '工资劳动', theme: 'work', icon: 'M12 3v18M7 21h10M4 6h16M4 6l-3 8h6zM20 6l-3 8h6z' },
  { title: '养老退休', theme: 'retirement', icon: WALKER },
]

const ELDERS: Tile[] = [
  { title: '养老金', theme: 'retirement', icon: WALKER },
  { title: '医保', theme: 'health', icon: CROSS },
  { title: '高龄津贴', theme: 'retirement', matter: '高龄津贴', icon: COIN },
  { title: '老年优待', theme: 'retirement', matter: '老年人优待证', icon: 'M12 2.5l2.8 6 6.7.7-5 4.500 1.400 6.500-5.900-3.300-5.900 3.300 1.400-6.500-5-4.500 6.7-.7z' },
  { title: '养老服务', theme: 'retirement', matter: '养老服务补贴', icon: HEART },
  { title: '社保卡', theme: 'insurance', matter: '社保卡补办', icon: CARD },
  { title: '户口证件', theme: 'papers', icon: ID },
  { title: '身后事', theme: 'death', icon: 'M12 2c3 4 3 6 0 8-3-2-3-4 0-8zM9 12h6v9H9zM6 21h12' },
]

/** The tiles of the first screen. */
export function tiles(elder: boolean): Tile[] {
  return elder ? ELDERS : EVERYBODY
}
