import { lazy, Suspense } from "react";

import { withTexts } from "@/i18n";
import { queryClient } from "@/lib/api/query";
import { useEvent } from "@/lib/live";
import { sessionQuery, useMe } from "@/lib/session";

const Inside = lazy(() => withTexts(import("./Inside"), "usage").then(({ Inside }) => ({ default: Inside })));
const NewDevices = lazy(() => withTexts(import("./NewDevices"), "security"));

/** What concerns how somebody is logged in, on every screen: who is inside in their place, and who else may have come in as them. Not part of the first load. */
export default function Notices() {
  // a process of the version before says nothing of devices
  const { impersonation, new_devices: devices = [], user } = useMe();
  useEvent("device.changed", () => {
    void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
  });
  return (
    <Suspense fallback={null}>
      {impersonation ? <Inside of={impersonation} as={user.name} /> : null}
      {devices.length > 0 ? <NewDevices devices={devices} /> : null}
    </Suspense>
  );
}
