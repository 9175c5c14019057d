import "./styles.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Toasts } from "@/components/ui/toasts";
import { TooltipProvider } from "@/components/ui/tooltip";
import { startLanguages } from "@/i18n";
import { queryClient } from "@/lib/api/query";
import { router } from "@/routes";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

// nothing is shown before there are words for it
await startLanguages();
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <TooltipProvider delayDuration={300}>
        <RouterProvider router={router} />
        <Toasts />
      </TooltipProvider>
    </QueryClientProvider>
  </StrictMode>,
);
