export const hands = () => null;
