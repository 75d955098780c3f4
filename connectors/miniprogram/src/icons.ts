// Drawings of 24 × 24, stroked, by the names that index/matters.yaml uses.

const FORM = 'M5 2h10l4 4v16H5zM15 2v4h4M8 11h8M8 15h8M8 7h3'

const ICONS: Record<string, string> = {
  shield: 'M12 2l8 3v6c0 5-3 8-8 11-5-3-8-6-8-11V5zM8.5 12l2.5 2.5 4.5-5',
  cross: 'M9 3h6v6h6v6h-6v6H9v-6H3V9h6z',
  house: 'M2 12l10-9 10 9M5 10v11h14V10M10 21v-6h4v6',
  card: 'M2 5h20v14H2zM8 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM5 16c0-3 6-3 6 0M14 10h5M14 14h5',
  cap: 'M1 9l11-5 11 5-11 5zM6 11.5v5c3 2.5 9 2.5 12 0v-5M23 9v6',
  pram: 'M4 11a8 8 0 0 1 8-8v8zM4 11h15c0 4-3 6-7.5 6S4 15 4 11zM19 11l2-5M8 19v2M15 19v2',
  scales: 'M12 3v18M7 21h10M4 6h16M4 6l-3 8h6zM20 6l-3 8h6z',
  walker: 'M10 3a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM10 9c-2 1-3 3-3 6h3l1 6M9 15l-2 6M11 11l5 2v8',
  coin: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 7l3.5 5 3.5-5M12 12v5M9 13h6M9 15.5h6',
  star: 'M12 2.5l2.8 6 6.7.7-5 4.500 1.400 6.500-5.900-3.300-5.900 3.300 1.400-6.500-5-4.500 6.7-.7z',
  heart: 'M12 20C5 15 3 12 3 8.5A4.5 4.5 0 0 1 12 7a4.5 4.5 0 0 1 9 1.5c0 3.5-2 6.5-9 11.5z',
  bankcard: 'M3 5h18v14H3zM3 10h18M7 15h4',
  candle: 'M12 2c3 4 3 6 0 8-3-2-3-4 0-8zM9 12h6v9H9zM6 21h12',
  flame: 'M12 2c1 4 6 6 6 12a6 6 0 0 1-12 0c0-3 2-4 2-7 2 1 3 3 3 5 2-2 2-6 1-10z',
}

/** The drawing of this name; of a form where there is none. */
export function drawing(name: string): string {
  return ICONS[name] ?? FORM
}
