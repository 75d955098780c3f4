// The list that a ticket was opened from: "next" and "back" on its page go by it.
let numbers: string[] = []
let address = '/tickets'

/** What the list shows now, and where it is. */
export function listed(shown: string[], from: string) {
  numbers = shown
  address = from
}

export const listAddress = () => address

/** The neighbour of a ticket in the list; none at its ends. */
export function neighbour(number: string, step: number): string | undefined {
  const here = numbers.indexOf(number)
  return here < 0 ? undefined : numbers[here + step]
}
