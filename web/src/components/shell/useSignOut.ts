import { useMutation } from "@tanstack/react-query";
import { useNavigate, useRouterState } from "@tanstack/react-router";

import { client } from "@/lib/api/client";
import { queryClient } from "@/lib/api/query";

/** The ways out: asked for, after which nothing stays in memory; or found out, after which whoever comes back goes on with what they wrote. */
export function useSignOut() {
  const navigate = useNavigate();
  const here = useRouterState({ select: (state) => state.location.href });
  const leave = async (to: string) => {
    await navigate({ to: "/login", search: to !== "/" ? { to } : {} });
    queryClient.clear();
  };
  const { mutate: signOut } = useMutation({
    mutationFn: () => client.DELETE("/api/v1/session"),
    onSuccess: () => window.location.assign("/login"),
  });
  return { signOut: () => signOut(), forget: () => void leave(here) };
}
