/** What changed while the first answer was on its way is asked for again. */
import { QueryObserver } from "@tanstack/react-query";
import { expect, test } from "vitest";

import { queryClient } from "./query";

test("an answer that was on its way when something changed is not the last one", async () => {
  const answers: ((answer: string) => void)[] = [];
  const queryKey = ["a change of many"];
  const observer = new QueryObserver<string>(queryClient, {
    queryKey,
    queryFn: () => new Promise<string>((answer) => answers.push(answer)),
  });
  const leave = observer.subscribe(() => undefined);
  expect(answers).toHaveLength(1);
  const told = queryClient.invalidateQueries({ queryKey });
  answers[0]?.("running");
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.("completed");
  await told;
  expect(observer.getCurrentResult().data).toBe("completed");
  leave();
});
