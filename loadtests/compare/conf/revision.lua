-- Revision: every request of wrk names the revision that it is for, as a gateway does.
wrk.headers["Knative-Serving-Namespace"] = "bench"
wrk.headers["Knative-Serving-Revision"] = "bench-00001"
