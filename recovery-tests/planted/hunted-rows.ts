/**
 * Rows in the order in which they are tried, and the cases of each in the first round. Those with
 * real processes take too long for each case.
 */
export const huntedRows: readonly (readonly [row: number, cases: number])[] = [
  [1, 60],
  [2, 80],
  [8, 200],
  [13, 40],
  [3, 40],
  [23, 60],
  [24, 60],
  [25, 40],
  [9, 150],
  [5, 60],
  [14, 40],
  [4, 20],
  [6, 50],
  [10, 20],
  [7, 20],
  [27, 60],
  [28, 60],
  [21, 1],
];
