import { useEffect, useState } from "react";

/** A value once it has stayed the same for so long: for questions about what is still being typed. */
export function useLater<Value>(value: Value, quietMs: number): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), quietMs);
    return () => clearTimeout(timer);
  }, [value, quietMs]);
  return settled;
}
