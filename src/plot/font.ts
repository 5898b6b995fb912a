/** The typeface of drawings that are made without a browser, as a file of its package. */
export const FONT = '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf'
